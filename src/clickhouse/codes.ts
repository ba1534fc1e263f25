/**
 * What ClickHouse's error codes mean to an insert (src/Common/ErrorCodes.cpp of ClickHouse, 24.10 to 26.7): what passes by itself, what is
 * about the user, and what may be about the content of a row. Any other code is about the table, the server or the statement, and somebody
 * has to mend it.
 */

/** Every insert makes a part, so fewer and larger ones help. Also the answer to an insert into more partitions than are allowed. */
export const TOO_MANY_PARTS = 252

/** Load, memory, Keeper, replicas that are away or read-only, tables and servers that restart, storage that fails for a moment. */
export const PASSING: ReadonlySet<number> = new Set([
  159, 173, 202, 203, 209, 210, 225, 236, 241, 242, 252, 254, 279, 285, 286, 319, 364, 394, 439, 473, 499, 574, 677, 733, 735, 745, 749,
  762, 777, 778, 999,
])

/** What ails one server of several: its connections, its Keeper session, a table that it can't write, its end. */
export const ELSEWHERE: ReadonlySet<number> = new Set([202, 203, 209, 210, 225, 236, 242, 279, 745, 999])

/** Somebody has to make room. */
export const DISK_FULL = 243

/** Timeouts and memory: an insert of fewer rows may do. */
export const TOO_LARGE: ReadonlySet<number> = new Set([159, 160, 209, 241])

/** User and password, or a right that is missing. */
export const DENIED: ReadonlySet<number> = new Set([192, 193, 194, 497, 516])

/** A setting that may not be set so, or is not known; also whatever a user whose profile is read-only may not do. */
export const SETTING_REFUSED: ReadonlySet<number> = new Set([115, 164, 452])

/**
 * May be about what a row holds: constraints; values that a column, its DEFAULT, the partition key or a materialized view can't take. The
 * same codes come from a table that takes no row at all, so they are a reason to look row by row, and no more.
 */
export const CONTENT: ReadonlySet<number> = new Set([
  6, // CANNOT_PARSE_TEXT
  19, // SIZE_OF_FIXED_STRING_DOESNT_MATCH
  25, // CANNOT_PARSE_ESCAPE_SEQUENCE
  26, // CANNOT_PARSE_QUOTED_STRING
  27, // CANNOT_PARSE_INPUT_ASSERTION_FAILED
  32, // ATTEMPT_TO_READ_AFTER_EOF
  33, // CANNOT_READ_ALL_DATA
  36, // BAD_ARGUMENTS
  38, // CANNOT_PARSE_DATE
  41, // CANNOT_PARSE_DATETIME
  53, // TYPE_MISMATCH
  69, // ARGUMENT_OUT_OF_BOUND
  70, // CANNOT_CONVERT_TYPE
  72, // CANNOT_PARSE_NUMBER
  117, // INCORRECT_DATA
  128, // TOO_LARGE_ARRAY_SIZE
  130, // CANNOT_READ_ARRAY_FROM_TEXT
  131, // TOO_LARGE_STRING_SIZE
  135, // ZERO_ARRAY_OR_TUPLE_INDEX
  153, // ILLEGAL_DIVISION
  169, // BAD_TYPE_OF_FIELD
  170, // BAD_GET
  190, // SIZES_OF_ARRAYS_DOESNT_MATCH
  248, // INVALID_PARTITION_VALUE
  321, // VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE
  349, // CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN
  376, // CANNOT_PARSE_UUID
  395, // FUNCTION_THROW_IF_VALUE_IS_NON_ZERO
  407, // DECIMAL_OVERFLOW
  441, // CANNOT_PARSE_DOMAIN_VALUE_FROM_STRING
  467, // CANNOT_PARSE_BOOL
  469, // VIOLATED_CONSTRAINT
  490, // CANNOT_FORMAT_DATETIME
  503, // AGGREGATE_FUNCTION_THROW
  632, // UNEXPECTED_DATA_AFTER_PARSED_VALUE
  675, // CANNOT_PARSE_IPV4
  676, // CANNOT_PARSE_IPV6
  691, // UNKNOWN_ELEMENT_OF_ENUM
  760, // UNICODE_ERROR
])
