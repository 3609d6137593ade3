/** Names that a capture may hold: markup that sets a flag where it is taken for HTML. */
export const hostileClient = '192.0.2.66';
export const hostileFlag = 'hostileNameRan';

/** @param where tells the names apart; at most 63 characters come out, the length of a DNS label */
export const hostileName = (where: string): string => `<img src=x onerror=window['${hostileFlag}']=1 alt=${where}>`;
