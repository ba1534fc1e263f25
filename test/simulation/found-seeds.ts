/** Seeds that have found something, with what it was. They are simulated in every run of the tests. */
export const FOUND_SEEDS: readonly number[] = [
  // A task that left and came back while it was being restored was put into the rings twice: "an id names one product".
  377,
  // A process that did not know yet that its task had gone removed the object that its next checkpoint referred to.
  207,
  // A slow removing did not see the manifest that another process had meanwhile written of the same objects.
  1100, 3216,
  // An object whose manifest was not there yet counted as loose, and in the next pass that manifest had gone between list and read.
  1130,
  // An old object went with its last manifest, while a process that had just lost the task was writing one that refers to it.
  42834,
]
