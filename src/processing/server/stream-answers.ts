/** Answers the requests of one stream several at a time, each as soon as it is ready. */

export interface StreamAnswerOptions<Request, Answer> {
  readonly answer: (request: Request) => Promise<Answer>;
  /**
   * Most requests in progress or answered and not yet taken. Beyond it no more are read, so flow control slows down a client that
   * sends too fast or does not read its answers.
   */
  readonly atOnceMax: number;
  /** When it is aborted, open requests are answered and the stream ends. Later requests are not answered. */
  readonly until: AbortSignal;
}

/** Ends when the requests have ended and all are answered. The first failed answer ends the stream with its error. */
export async function* answerAsReady<Request, Answer>(
  requests: AsyncIterable<Request>,
  { answer, atOnceMax, until }: StreamAnswerOptions<Request, Answer>,
): AsyncGenerator<Answer> {
  const iterator = requests[Symbol.asyncIterator]();
  let ready: Answer[] = [];
  let open = 0;
  /** Answers that are being written out. */
  let leaving = 0;
  let ended = false;
  let failure: { readonly error: unknown } | undefined;
  let wakeReader = (): void => {};
  let wakeWriter = (): void => {};

  function fail(error: unknown): void {
    failure ??= { error };
  }

  async function work(request: Request): Promise<void> {
    try {
      const answered = await answer(request);
      ready.push(answered); // after the await: the list is a new one each time it was written out
    } catch (error) {
      fail(error);
    }
    open--;
    wakeReader();
    wakeWriter();
  }

  async function read(): Promise<void> {
    try {
      while (!until.aborted && !ended) {
        if (open + ready.length + leaving >= atOnceMax) {
          await new Promise<void>((resolve) => {
            wakeReader = resolve;
          });
          continue;
        }
        const next = await iterator.next();
        if (next.done || until.aborted) break;
        open++;
        void work(next.value);
      }
    } catch (error) {
      fail(error);
    }
    ended = true;
    wakeWriter();
  }

  const onDrain = (): void => wakeWriter();
  until.addEventListener('abort', onDrain, { once: true });
  const reading = read();
  try {
    while (true) {
      const answers = ready;
      ready = [];
      leaving = answers.length;
      for (const answered of answers) {
        yield answered;
        leaving--;
        wakeReader();
      }
      if (ready.length > 0) continue;
      if (failure) throw failure.error;
      if (open === 0 && (ended || until.aborted)) return;
      await new Promise<void>((resolve) => {
        wakeWriter = resolve;
      });
    }
  } finally {
    ended = true;
    until.removeEventListener('abort', onDrain);
    wakeReader();
    // An input that is being read ends with its stream; one that is not is told that nobody reads on.
    void reading.then(() => iterator.return?.()).catch(() => undefined);
  }
}
