/**
 * Why the server cannot start, for the person at the terminal: `message` says what is wrong and `advice` what to do about
 * it, both as plain sentences. `main.ts` prints the two and exits with 1; there is no stack to show, because nothing in the
 * code is at fault.
 */
export class StartError extends Error {
  readonly advice: string

  constructor(message: string, advice: string, cause?: unknown) {
    super(message, { cause })
    this.name = 'StartError'
    this.advice = advice
  }
}

/** Turns what the file system answered about `path` into words; an error that is not its kind comes back as it is. */
export const fileError = (error: unknown, path: string): unknown => {
  switch ((error as NodeJS.ErrnoException | null)?.code) {
    case 'EACCES':
    case 'EPERM':
      return new StartError(
        `${path} cannot be used: permission denied.`,
        'Give the user that runs the server read and write access to it, or set MILLRACE_DATA_DIR to another directory.',
        error,
      )
    case 'EROFS':
      return new StartError(
        `${path} cannot be used: its file system is read-only.`,
        'Set MILLRACE_DATA_DIR to a directory on a writable disk.',
        error,
      )
    case 'ENOSPC':
    case 'EDQUOT':
      return diskFull(path, error)
    case 'EEXIST':
    case 'ENOTDIR':
      return new StartError(`${path} cannot be used: it, or a part of its path, is a file.`, 'Set MILLRACE_DATA_DIR to a directory.', error)
    case 'ENOENT':
      return new StartError(`${path} cannot be created there.`, 'Set MILLRACE_DATA_DIR to a directory on a writable disk.', error)
    case 'ENAMETOOLONG':
      return new StartError(`${path} cannot be used: the path is too long.`, 'Set MILLRACE_DATA_DIR to a shorter path.', error)
    default:
      return error
  }
}

export const diskFull = (path: string, cause?: unknown): StartError =>
  new StartError(`The disk that holds ${path} is full.`, 'Free some space on it (or raise the quota), then start again.', cause)
