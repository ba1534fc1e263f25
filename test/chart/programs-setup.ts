/** Builds and fetches all that the chart is tried with, before the first test: no test's time would be enough for it. */
import { apiPrograms, definitionFiles, helmPrograms, schemaFolder } from '../../workshop/chart-tools.ts'

export default async function setup(): Promise<void> {
  await schemaFolder()
  await definitionFiles()
  await helmPrograms()
  await apiPrograms()
}
