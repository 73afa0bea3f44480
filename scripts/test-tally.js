// A reporter for node:test that writes what the summary needs: one JSON line a finished test that is not a suite.
export default async function* tally(source) {
  for await (const { type, data } of source) {
    if (type !== 'test:pass' && type !== 'test:fail') continue;
    if (data.details?.type === 'suite') continue;
    const skip = data.skip === undefined || data.skip === false ? null : String(data.skip);
    const cancelled = type === 'test:fail' && data.details?.error?.failureType === 'cancelledByParent';
    yield `${JSON.stringify({ name: data.name, file: data.file, passed: type === 'test:pass', skip, todo: Boolean(data.todo), cancelled })}\n`;
  }
}
