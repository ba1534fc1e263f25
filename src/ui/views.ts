/** The view of an address. */
import type { TemplateResult } from 'lit-html'
import type { ViewName } from './address.ts'
import type { PageView } from './parts.ts'
import { checkpointsView } from './view-checkpoints.ts'
import { configView } from './view-config.ts'
import { latenessView } from './view-lateness.ts'
import { ledgerView } from './view-ledger.ts'
import { lettersView } from './view-letters.ts'
import { nowView } from './view-now.ts'
import { partitionsView } from './view-partitions.ts'
import { productsView } from './view-products.ts'

const BY_NAME: Readonly<Record<ViewName, (page: PageView) => TemplateResult>> = {
  now: nowView,
  products: productsView,
  partitions: partitionsView,
  lateness: latenessView,
  ledger: ledgerView,
  letters: lettersView,
  checkpoints: checkpointsView,
  config: configView,
}

export function viewAt(page: PageView): TemplateResult {
  return BY_NAME[page.address.view](page)
}
