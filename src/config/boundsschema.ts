/** What of a tool server in mezz.yaml says how much it gets and gives, and what is done where that is not known. */

interface Forms {
  whole(minimum: number, maximum: number, example: number): object;
  duration(example: string, description: string): object;
  choice(description: string, ...values: string[]): object;
}

export const boundsSchema = ({ whole, duration, choice }: Forms): Record<string, object> => ({
  calls: { ...whole(1, 10_000, 4), description: 'Calls that may run there at once; more wait.' },
  perMinute: {
    ...whole(1, 1_000_000, 60),
    description: 'Calls that it gets in a minute; more wait in the order of all.',
  },
  taskAfter: duration(
    '10s',
    'How long a call of it may wait and run before it becomes a task, for clients that take tasks.',
  ),
  resultCharacters: {
    ...whole(1000, 10_000_000, 100_000),
    description:
      'Of a result longer than this an agent is shown the head and the tail; it reads on with mezz__read_result. 100000 by default.',
  },
  doubt: choice(
    'What is done about a call that may or may not have taken effect, where neither its retry class nor its manifest says: a person is asked (the default), it is made once more, or it counts as done, or as given up.',
    'ask',
    'retry',
    'done',
    'abandon',
  ),
});
