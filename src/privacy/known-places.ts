/** The places of an event that are known by the configuration, as a tree of their keys: of all others neither name nor value is told. */
import type { EventsConfig } from '../config/events-section.ts'
import { pathOf } from '../config/field-path.ts'
import { eventRules, FIELD_ARRAY } from '../format/event-rules.ts'

/** What is known below a key. Elements of an array are where the array is. */
export interface KnownPlace {
  readonly inside: ReadonlyMap<string, KnownPlace>
  /** Its value, if that holds no others, stays. */
  readonly keeps: boolean
}

interface Growing extends KnownPlace {
  readonly inside: Map<string, Growing>
  keeps: boolean
}

/** Of what nothing is known. */
export const UNKNOWN_PLACE: KnownPlace = { inside: new Map(), keeps: false }

/** What is known of the records of a topic, and of elements that are events of their own. */
export interface KnownPlaces {
  readonly record: KnownPlace
  readonly element: KnownPlace
  /** By field, as event-rules.ts numbers them: whether its value stays, wherever it is. */
  readonly keeps: readonly boolean[]
}

/** `keep` and `names` are paths as the configuration has them; names of the events' own fields are known anyway. */
export function knownPlaces(events: EventsConfig, keep: readonly string[], names: readonly string[]): KnownPlaces {
  const root: Growing = { inside: new Map(), keeps: false }
  // Whether a user is required or not, the name of its place tells nothing.
  const { places, elementPlaces } = eventRules({ ...events, user: { required: true } })
  const array = places[FIELD_ARRAY]?.[0] ?? []
  const all = places.map((some, field) => some.map((steps, i) => steps ?? [...array, ...(elementPlaces?.[field]?.[i] ?? [])]))
  for (const steps of all.flat()) grow(root, steps)
  for (const name of names) grow(root, stepsOf(name))
  for (const place of keep) grow(root, stepsOf(place)).keeps = true
  const keeps = all.map((some) => some.length > 0 && some.every((steps) => placeAt(root, steps).keeps))
  return { record: root, element: placeAt(root, array), keeps }
}

function stepsOf(path: string): readonly string[] {
  const { steps, element = [] } = pathOf(path) ?? { steps: [path] }
  return [...steps, ...element]
}

function placeAt(root: KnownPlace, steps: readonly string[]): KnownPlace {
  return steps.reduce((place, step) => place.inside.get(step) ?? UNKNOWN_PLACE, root)
}

function grow(root: Growing, steps: readonly string[]): Growing {
  let place = root
  for (const step of steps) {
    const next = place.inside.get(step) ?? { inside: new Map(), keeps: false }
    place.inside.set(step, next)
    place = next
  }
  return place
}
