/** Promises about the limits of providers and of plans. */
import type { Promised } from '../promise.ts';

export const LIMIT_PROMISES: readonly Promised[] = [
  {
    id: 'limits-absorbed',
    group: 'order',
    text: "A provider's refusal by a rate limit reaches no agent while waiting for the limit fits its client's deadline: the call waits without a slot and is sent again; a stream that waits is kept alive in its dialect.",
    restsOn:
      'What the provider says of its reset, or pauses that grow; where no header explains a refusal, a window of calls at once that halves with each and grows by one a round.',
    bypassedBy:
      'rateLimit: { on: fail }; a limit that ends later than the client or rateLimit.maxHold allows; a refusal that the provider calls final; a call that a person approved, which is sent once.',
    tests: [
      [
        'src/gate/limit.test.ts',
        'is waited for without a slot, and the call is sent again: its agent never hears of it',
      ],
      [
        'src/gate/limit.test.ts',
        'passes as the provider said it where it cannot be waited for in time, or is no limit that ends',
      ],
      ['test/limits.test.ts', 'agents get their answers and never a 429, in every dialect, streaming or not'],
      ['test/limits.test.ts', 'what its call comes to is told in the stream, where it has begun'],
    ],
  },
  {
    id: 'limits-mirrored',
    group: 'order',
    text: "A call is sent only when the buckets that its provider's headers show cover it - requests, input, output, tokens - in the order of the scheduling policy; a limit that is used up holds back nobody who counts against another.",
    restsOn:
      "Mirrors of the provider's buckets, corrected by every answer's headers; how cached input and max_tokens are charged is learned from calls that were alone.",
    bypassedBy:
      'rateLimit: { on: fail }; a provider that shows no buckets; what other clients of the account take between two answers.',
    tests: [
      [
        'src/scheduler/governor.test.ts',
        'sends a call only when every bucket covers it, and knows when that is',
      ],
      [
        'src/scheduler/governor.test.ts',
        'learns from calls that are alone whether cached input counts, and whether max_tokens does',
      ],
      [
        'src/scheduler/tolls.test.ts',
        'no call waits that its slot and its limit would take, but behind one whose turn it is',
      ],
      [
        'src/gate/limit.test.ts',
        'is kept as its headers show it: what it does not cover waits without a slot, in the order of the policy',
      ],
    ],
  },
  {
    id: 'limits-stated',
    group: 'order',
    text: 'What mezz.yaml says of an account holds for it and all accounts below it, whatever the model: no more answers are open at once (`streams`), and no more is spent in an hour (`usdPerHour`), than it says; what goes beyond waits without a slot, in the order of the scheduling policy. A provider that refuses calls at once in words is believed, and sent no more than it took.',
    restsOn:
      "What a call should cost when it is sent, settled with what its answer's usage says; of calls at once, how many of ours were open when one was refused.",
    bypassedBy:
      'rateLimit: { on: fail }; an answer that costs more than was expected, which the next ones wait for; a call that costs more than an hour brings, which goes when all of it is saved up; a restart of the kernel, which forgets what was spent and learned; what others of the account have open.',
    tests: [
      [
        'src/scheduler/stated.test.ts',
        'no more are open than it says, whatever the model; the next is who goes first, of all models',
      ],
      [
        'src/scheduler/stated.test.ts',
        'at no time are more open, or is more spent, than is said, and nobody waits where there is room',
      ],
      [
        'src/scheduler/governor.test.ts',
        'a refusal that names calls at once: as many as its provider allows go from then on, and seldom one more',
      ],
      [
        'src/gate/limit.test.ts',
        'what operators say of an account counts for all below it: calls at once, and money',
      ],
      [
        'test/limits.test.ts',
        'no more answers are open than mezz.yaml or the provider allows at once, and no agent sees a refusal',
      ],
    ],
  },
  {
    id: 'limits-kept',
    group: 'order',
    text: 'Of each bucket of a rate limit so much is left by calls that go last as those with a smaller nice value drew it down by of late, at most half; it is kept for five minutes after their last call, and no longer than until the bucket is full.',
    restsOn:
      'The calls of that class before: the burst that they would have drawn from a bucket of their own. What is kept costs the others head room and no inflow.',
    bypassedBy:
      'A call that has waited the maximum wait; one that is larger than its bucket, which overdraws it; a class that asks for more than it did before.',
    tests: [
      [
        'src/scheduler/kept.test.ts',
        'is how far they have drawn it down of late: a large call of the others leaves that, and they find it',
      ],
      [
        'src/scheduler/kept.test.ts',
        'loses no inflow and starves nobody: a full bucket is kept from nobody, and a call waits no longer than to there',
      ],
      ['src/gate/limit.test.ts', 'leaves to an agent that goes first what it is used to take'],
    ],
  },
  {
    id: 'limits-used',
    group: 'order',
    text: 'Asked 1.3 times what a limit allows, at least 98 % of it is used while turns wait, no turn fails, and a limit that is halved or doubled, or shared with another client, is followed; under a limit the turn that will have had least of it goes first.',
    restsOn:
      "The provider's headers; service in units of what is scarcest under the limit. Shown in virtual time, on real coding sessions, of an API that charges as Anthropic or as OpenAI says.",
    bypassedBy: 'A provider that charges in another way than its headers show.',
    tests: [
      [
        'test/hosted.test.ts',
        'no turn fails, hardly a call is refused, the limit is used up, and short turns do not wait for long ones',
      ],
      ['test/hosted.test.ts', 'a limit that is halved and doubled is followed within three minutes'],
      ['test/hosted.test.ts', 'what another client of the account takes is left to it, and the rest is used'],
    ],
  },
  {
    id: 'limits-sleep',
    group: 'order',
    text: "With `--on-limit sleep` an agent whose provider takes no call for longer than can be waited is paused until then, on the disk, and goes on by itself; a plan's window that is used up counts as such a limit.",
    restsOn: "The agent's row, with when its pause ends; the provider's own reset.",
    bypassedBy: 'A provider that names no reset; an operator who resumes the agent before.',
    tests: [
      [
        'src/gate/limit.test.ts',
        'on sleep: where it ends too late to be waited for, the agent is paused until then, and goes on by itself',
      ],
      [
        'src/gate/limit.test.ts',
        'on sleep: a call that meets a limit which is closed for long is not sent; an agent may have it otherwise',
      ],
      [
        'src/scheduler/governor.test.ts',
        'when the window of a plan begins anew, however soon it may be tried again',
      ],
    ],
  },
  {
    id: 'retries-keep-place',
    group: 'order',
    text: 'A client that asks again after its call was refused for want of room, or after it left while waiting, keeps the place it had.',
    restsOn: 'The same agent and the same body, within ten minutes.',
    bypassedBy: 'A restart of the kernel; a retry whose body differs.',
    tests: [
      ['src/gate/limit.test.ts', 'the retry of a call that left keeps its place; another body has none'],
    ],
  },
  {
    id: 'plans-kept',
    group: 'order',
    text: 'A part of a plan window that is kept for an agent or an owner (`mezz limit set <account> --reserve`) is for nobody else: others pause where the rest of the window is what is kept, until it begins anew. `mezz limit` and `mezz top` say when a window is full at the rate of late, and who would wait first.',
    restsOn: "How full the provider's headers say the window is.",
    bypassedBy:
      'What the one whom it is kept for has used already counts as used by all: the others then stop sooner. A program with the same name.',
    tests: [
      [
        'src/budget/reserves.test.ts',
        'stops all others where the rest is what is kept, and never whom it is kept for',
      ],
      [
        'src/gate/limit.test.ts',
        'the windows of plans: a part that is kept for one pauses the others, and fsck proves what was counted',
      ],
      ['src/budget/reserves.test.ts', 'is told by the rate since it began, then by that of late'],
    ],
  },
  {
    id: 'cache-deadlines',
    group: 'order',
    text: "While a call waits under a limit, a prefix that its provider has cached and is about to forget is a deadline: the call goes first within its owner's share where that saves more than the call takes; when the prefix is gone, the call needs more of the limit.",
    restsOn:
      'Five minutes after its last use, and only where the provider was seen to have found such prefixes.',
    bypassedBy: 'A provider that forgets sooner; a cache that was asked to last an hour.',
    tests: [
      [
        'src/gate/limit.test.ts',
        'a cached prefix that is about to expire is a deadline: its call goes first where that saves more than it costs',
      ],
    ],
  },
];
