/** What the errors of S3 mean for whoever runs the engine: which key of the configuration to look at, and whether waiting may help. */
import { CtrError, UNTRUSTED_CERTIFICATE } from '../errors.ts'

export interface S3Place {
  /** The store as configured. */
  readonly place: string
  readonly bucket: string
  readonly endpoint: string | undefined
  readonly region: string
}

/** Whether the server has answered with this status. */
export function isS3Answer(error: unknown, status: number): boolean {
  return statusOf(error) === status
}

const KEYS = 'checkpoint.s3.accessKeyId, checkpoint.s3.secretAccessKey'

interface Finding {
  readonly key: string
  readonly what: string
  readonly remedy: string
  readonly retriable?: boolean
}

/** The CtrError CTR_CHECKPOINT_STORE for an error of the SDK. */
export function explainS3Error(error: unknown, at: S3Place): CtrError {
  if (error instanceof CtrError) return error
  const { key, what, remedy, retriable = false } = answered(error, at) ?? unanswered(error, at)
  return new CtrError('CTR_CHECKPOINT_STORE', `${key}: ${what}; ${remedy}`, { retriable, cause: error })
}

/** The server has said no; undefined when there is no answer. */
function answered(error: unknown, { place, bucket, region }: S3Place): Finding | undefined {
  const status = statusOf(error)
  if (status === undefined) return undefined
  const name = (error as Error).name
  const said = `${name}, HTTP ${status}`
  switch (name) {
    case 'NoSuchBucket':
      return { key: 'checkpoint.storage', what: `there is no bucket ${bucket}`, remedy: 'create it, or mend the name' }
    case 'InvalidAccessKeyId':
    case 'SignatureDoesNotMatch':
    case 'XAdminUserNotFound': // versitygw's own
      return { key: KEYS, what: `${place} refuses the credentials (${said})`, remedy: 'check both' }
    case 'ExpiredToken':
    case 'TokenRefreshRequired':
      return { key: KEYS, what: `the credentials for ${place} have expired (${said})`, remedy: 'renew them', retriable: true }
    case 'RequestTimeTooSkewed':
      return { key: 'checkpoint.storage', what: `the clocks of ${place} and of this machine differ (${said})`, remedy: 'set them right' }
    case 'PermanentRedirect':
    case 'AuthorizationHeaderMalformed':
    case 'IllegalLocationConstraintException':
      return { key: 'checkpoint.s3.region', what: `${place} is not in ${region} (${said})`, remedy: 'write the region of the bucket' }
  }
  if (status === 401 || status === 403)
    return { key: KEYS, what: `${place} gives no right to do this (${said})`, remedy: 'check the keys and the policy of the bucket' }
  if (status >= 300 && status < 400)
    return { key: 'checkpoint.s3.region', what: `${place} is elsewhere (${said})`, remedy: 'check region and endpoint' }
  const passing = status >= 500 || status === 429 || status === 408 || status === 409
  const what = `${place} fails (${said}: ${(error as Error).message})`
  return { key: 'checkpoint.storage', what, remedy: passing ? 'look at the server' : 'check that it is an S3 server', retriable: passing }
}

function unanswered(error: unknown, { place, endpoint }: S3Place): Finding {
  const code = codeOf(error)
  const message = error instanceof Error ? error.message : String(error)
  const server = endpoint ?? 'AWS'
  const key = endpoint === undefined ? 'checkpoint.storage' : 'checkpoint.s3.endpoint'
  if (error instanceof Error && (error.name === 'CredentialsProviderError' || error.name === 'TokenProviderError')) {
    const remedy = "give both keys, or set up what the AWS SDK's chain looks for (environment, profile, role)"
    return { key: KEYS, what: `there are no credentials for ${place} (${message})`, remedy }
  }
  if (UNTRUSTED_CERTIFICATE.has(code)) {
    const remedy = 'give the certificate of its authority in a file that NODE_EXTRA_CA_CERTS names'
    return { key, what: `the certificate of ${server} is not trusted (${code})`, remedy }
  }
  if (code === 'EPROTO' || code.startsWith('ERR_SSL_') || code.startsWith('HPE_'))
    return { key, what: `${server} does not speak as wanted (${code})`, remedy: 'check http:// or https://, and the port' }
  const short = code === '' ? message.split('\n', 1)[0] : code
  return { key, what: `${server} does not answer (${short})`, remedy: 'check that it runs and can be reached', retriable: true }
}

function statusOf(error: unknown): number | undefined {
  return (error as { $metadata?: { httpStatusCode?: number } } | null)?.$metadata?.httpStatusCode
}

function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code
  return typeof code === 'string' ? code : ''
}
