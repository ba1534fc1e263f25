/** Copies what the page has beside its modules from src/ui to dist/ui; part of the build. Plain JavaScript, for the image has no types. */
import { copyFileSync, mkdirSync } from 'node:fs'

const FROM = new URL('../src/ui/', import.meta.url)
const TO = new URL('../dist/ui/', import.meta.url)

mkdirSync(TO, { recursive: true })
for (const name of ['index.html', 'page.css', 'icon.svg']) copyFileSync(new URL(name, FROM), new URL(name, TO))
