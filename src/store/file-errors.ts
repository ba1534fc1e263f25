/** What the file system's errors mean for whoever runs the engine: what happened where, and what to do. */
import { CtrError } from '../errors.ts'

interface Advice {
  readonly what: string
  readonly remedy: string
  /** Waiting may help. */
  readonly retriable: boolean
}

const ADVICE: Readonly<Record<string, Advice>> = {
  ENOSPC: { what: 'the disk is full', remedy: 'free some room, or lower checkpoint.retain', retriable: true },
  EDQUOT: { what: 'the quota is used up', remedy: 'free some room, or lower checkpoint.retain', retriable: true },
  EROFS: {
    what: 'the file system is read-only',
    remedy: 'mount it writable, or set checkpoint.storage to another place',
    retriable: false,
  },
  EACCES: { what: 'no permission', remedy: 'give the user that runs ctr the right to read and write there', retriable: false },
  EPERM: { what: 'no permission', remedy: 'give the user that runs ctr the right to read and write there', retriable: false },
  ENOENT: {
    what: "a folder is missing and can't be made",
    remedy: 'look whether it is mounted and no link in it leads nowhere',
    retriable: false,
  },
  ENOTDIR: {
    what: 'a file is in the way of a folder',
    remedy: 'move it away, or set checkpoint.storage to another place',
    retriable: false,
  },
  EEXIST: {
    what: 'a file is in the way of a folder',
    remedy: 'move it away, or set checkpoint.storage to another place',
    retriable: false,
  },
  EISDIR: {
    what: 'a folder is in the way of a file',
    remedy: 'move it away, or set checkpoint.storage to another place',
    retriable: false,
  },
  ENAMETOOLONG: { what: 'a name is too long', remedy: 'shorten kafka.groupId or the name of the savepoint', retriable: false },
  ELOOP: { what: 'its links go round in a circle', remedy: 'set checkpoint.storage to where it really is', retriable: false },
  EIO: { what: 'the disk fails', remedy: "look at the machine's log", retriable: true },
  ESTALE: { what: 'the network mount has gone stale', remedy: 'mount it again', retriable: true },
  EMFILE: { what: 'too many files are open', remedy: 'raise the limit (ulimit -n)', retriable: true },
  ENFILE: { what: 'too many files are open on this machine', remedy: 'raise the limit (fs.file-max)', retriable: true },
}

/** Whether an error is the file system's. */
export function isFileError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && typeof (error as NodeJS.ErrnoException).syscall === 'string'
}

/** The CtrError for an error met below `root`. */
export function explainFileError(error: NodeJS.ErrnoException, root: string): CtrError {
  const advice = ADVICE[error.code ?? ''] ?? { what: error.message, remedy: 'look at the machine', retriable: true }
  const where = error.path !== undefined && error.path !== root ? ` (${error.syscall} ${error.path})` : ` (${error.syscall})`
  const message = `checkpoint.storage ${root}: ${advice.what}${where}; ${advice.remedy}`
  return new CtrError('CTR_CHECKPOINT_STORE', message, { retriable: advice.retriable, cause: error })
}
