/** A policy of the operator's own: the last to come goes first. It fails once it sees an agent of nice 7. */
export const OWN_NAME = 'last-first';
export const OWN_POLICY = `export default {
  name: '${OWN_NAME}',
  text: 'the last to come goes first',
  start: () => null,
  event: () => null,
  key: (_state, call) => {
    if (call.nice === 7) throw new Error('asked about an agent that it does not like');
    return [-call.arrivedAt];
  },
  reasons: () => ['came last'],
};
`;
