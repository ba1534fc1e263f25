/** Rules of events for tests and benches: those of the defaults, and those of a few words of configuration. */
import { EVENTS_DEFAULT, type EventsConfig, eventsSection } from '../src/config/events-section.ts'
import { type EventRules, eventRules } from '../src/format/event-rules.ts'

/** What holds without a word in the configuration. */
export const PLAIN_RULES: EventRules = eventRules(EVENTS_DEFAULT)

/** The configuration with some words of the section `events`, as a file has them. */
export function eventsWith(words: Parameters<typeof eventsSection.parse>[0]): EventsConfig {
  return eventsSection.parse(words)
}
