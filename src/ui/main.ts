/** Where the page begins. */
import { App } from './app.ts'
import { CtrChart } from './chart.ts'

customElements.define('ctr-chart', CtrChart)
const root = document.querySelector<HTMLElement>('#app')
if (root !== null) new App(root).start()
