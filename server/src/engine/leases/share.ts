/**
 * How many times the room that is left one workspace may hold. So a single one fills nine tenths of a process, two have nine nineteenths each, and
 * there is always room for one that comes new. Nobody is interrupted for that, and what is free while few are there is theirs.
 */
export const most_of_room = 9

/** `mine`: what the workspace holds; `all`: what all hold. */
export const mayHold = (mine: number, all: number, capacity: number): boolean => mine < most_of_room * (capacity - all)
