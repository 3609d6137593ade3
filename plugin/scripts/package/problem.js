/** Something that the person who runs the script can mend: shown as one line, without a stack. */
export class Problem extends Error {}
