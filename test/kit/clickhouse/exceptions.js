// @ts-check
/**
 * ClickHouse exceptions as its HTTP interface tells them: text, code and status.
 *
 * The statuses are those of ClickHouse's own table (src/Server/HTTP/exceptionCodeToHTTPStatus.cpp of ClickHouse 25),
 * here by the name that stands in the text. What is not listed is a 500.
 */

/** @type {ReadonlyArray<readonly [status: number, names: string]>} */
const statusGroups = [
  [401, 'REQUIRED_PASSWORD'],
  [403, 'UNKNOWN_USER WRONG_PASSWORD AUTHENTICATION_FAILED SET_NON_GRANTED_ROLE ACCESS_DENIED'],
  [
    400,
    'BAD_ARGUMENTS CANNOT_COMPILE_REGEXP CANNOT_PARSE_TEXT CANNOT_PARSE_ESCAPE_SEQUENCE CANNOT_PARSE_QUOTED_STRING ' +
      'CANNOT_PARSE_DATE CANNOT_PARSE_DATETIME CANNOT_PARSE_NUMBER CANNOT_PARSE_DOMAIN_VALUE_FROM_STRING ' +
      'CANNOT_PARSE_IPV4 CANNOT_PARSE_IPV6 CANNOT_PARSE_INPUT_ASSERTION_FAILED CANNOT_PARSE_UUID DUPLICATE_COLUMN ' +
      'ILLEGAL_COLUMN UNKNOWN_ELEMENT_IN_AST UNKNOWN_TYPE_OF_AST_NODE THERE_IS_NO_COLUMN TOO_DEEP_AST TOO_BIG_AST ' +
      'UNEXPECTED_AST_STRUCTURE SYNTAX_ERROR INCORRECT_DATA TYPE_MISMATCH VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE',
  ],
  [
    404,
    'UNKNOWN_TABLE UNKNOWN_FUNCTION UNKNOWN_IDENTIFIER UNKNOWN_TYPE UNKNOWN_STORAGE UNKNOWN_DATABASE UNKNOWN_SETTING ' +
      'UNKNOWN_DIRECTION_OF_SORTING UNKNOWN_AGGREGATE_FUNCTION UNKNOWN_FORMAT UNKNOWN_DATABASE_ENGINE ' +
      'UNKNOWN_TYPE_OF_QUERY UNKNOWN_ROLE',
  ],
  [408, 'TIMEOUT_EXCEEDED'],
  [411, 'HTTP_LENGTH_REQUIRED'],
  [413, 'QUERY_IS_TOO_LARGE'],
  [415, 'UNSUPPORTED_MEDIA_TYPE'],
  [501, 'NOT_IMPLEMENTED'],
  [503, 'SOCKET_TIMEOUT CANNOT_OPEN_FILE CANNOT_SCHEDULE_TASK'],
];

/** @type {ReadonlyMap<string, number>} */
const statusOf = new Map(
  statusGroups.flatMap(([status, names]) => names.split(' ').map((name) => /** @type {const} */ ([name, status]))),
);

export class ClickHouseException extends Error {
  /**
   * @param {number} code ClickHouse's number
   * @param {string} type its name, UNKNOWN_TABLE ...
   * @param {string} message
   */
  constructor(code, type, message) {
    super(message);
    this.code = code;
    this.type = type;
  }

  /** HTTP status, where the answer has not begun */
  get status() {
    return statusOf.get(this.type) ?? 500;
  }

  /** @param {string} version */
  text(version) {
    return `Code: ${this.code}. DB::Exception: ${this.message} (${this.type}) (version ${version} (official build))\n`;
  }
}

/**
 * The engine's error, whose text is `Code: 60. DB::Exception: ... (UNKNOWN_TABLE)`.
 * @param {unknown} error
 */
export function exceptionOf(error) {
  if (error instanceof ClickHouseException) return error;
  const text = error instanceof Error ? error.message : String(error);
  const match = /^Code: (\d+)\. DB::Exception: ([\s\S]*?)\s*\(([A-Z][A-Z0-9_]+)\)\s*$/.exec(text);
  if (!match) return new ClickHouseException(1002, 'UNKNOWN_EXCEPTION', text);
  return new ClickHouseException(Number(match[1]), match[3] ?? '', match[2] ?? '');
}
