/**
 * All that an engine with this configuration needs, looked at without starting one. What a start refuses is a fault here, in the same
 * words: the checks call what a start calls. Nothing is left behind, and a process that runs in the same group is not disturbed.
 */
import { sleep } from '../clock.ts'
import type { Config } from '../config/schema.ts'
import type { Logger } from '../log.ts'
import { clickHouseChecks } from './clickhouse-checks.ts'
import { ClickHouseSession } from './clickhouse-session.ts'
import { type Diagnosis, examine } from './examine.ts'
import type { CheckPart } from './finding.ts'
import { kafkaChecks } from './kafka-checks.ts'
import { KafkaSession } from './kafka-session.ts'
import { machineChecks } from './machine-checks.ts'
import { registryChecks } from './registry-check.ts'
import { storeCheck } from './store-check.ts'

/** How it is looked. */
export interface ExamineOptions {
  /** Of each check, ms. */
  readonly timeoutMs: number
  /** Which parts; all when not given. */
  readonly parts?: readonly CheckPart[] | undefined
  readonly log: Logger
  readonly onSettled?: ((done: number, open: readonly string[]) => void) | undefined
}

/** Connections that do not close in this time are left to the end of the process. */
const CLOSE_MAX_MS = 1_000

/** Makes all checks. Never rejects. */
export async function diagnose(config: Config, { timeoutMs, parts, log, onSettled }: ExamineOptions): Promise<Diagnosis> {
  const kafka = new KafkaSession(config, timeoutMs, log)
  const clickhouse = new ClickHouseSession(config, timeoutMs, log)
  const checks = [
    ...kafkaChecks(kafka),
    ...registryChecks(config, timeoutMs),
    ...clickHouseChecks(clickhouse),
    storeCheck(config.checkpoint),
    ...machineChecks(config),
  ]
  const wanted = parts === undefined ? checks : checks.filter(({ part }) => parts.includes(part))
  const diagnosis = await examine(wanted, timeoutMs, onSettled)
  const patience = new AbortController()
  await Promise.race([Promise.all([kafka.close(), clickhouse.close()]), sleep(CLOSE_MAX_MS, patience.signal)])
  patience.abort()
  return diagnosis
}
