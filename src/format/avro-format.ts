/** Avro as a format of records (schema-format.ts): the value follows the frame at once. */
import { avroSource } from './avro-code.ts'
import { ExactAvro } from './avro-exact.ts'
import { avroFault } from './avro-fields.ts'
import { avroSchema } from './avro-schema.ts'
import { avroText } from './avro-text.ts'
import { fieldTree } from './field-tree.ts'
import { SchemaFault } from './schema-fault.ts'
import type { SchemaFormat } from './schema-format.ts'

export const AVRO: SchemaFormat = {
  type: 'avro',
  preambleBytes: () => 0,
  shortest: (preamble) => preamble,
  read(schema, rules) {
    const type = avroSchema(schema)
    const fault = avroFault(type, fieldTree(rules.places, rules.emptyAt).root, rules)
    if (fault !== undefined) throw new SchemaFault(fault)
    const opened = {
      exact: new ExactAvro(type, rules),
      source: avroSource(type, rules),
      text: (bytes: Uint8Array) => avroText(type, bytes),
    }
    return { open: () => opened }
  },
}
