/** Verbs about the kernel itself. */
import type { Handlers } from './context.ts';

type UpkeepVerb = 'status' | 'down' | 'doctor' | 'config' | 'config.limits' | 'config.reload' | 'backend.add';

export const upkeepVerbs: Handlers<UpkeepVerb> = {
  async status(context) {
    const { gate } = context;
    const running = [...gate.flights.values()].filter((flight) => flight.startedAt !== undefined).length;
    return {
      version: context.version,
      pid: process.pid,
      origin: context.origin,
      stateDir: context.stateDir,
      startedAt: context.startedAt,
      agents: [...gate.parts.agents.all()].filter((agent) => agent.hold !== 'exited').length,
      waiting: gate.parts.waits.size,
      running,
      profile: gate.parts.access.profile,
      warnings: context.warnings(),
    };
  },

  async down(context, { graceMs }) {
    const draining = context.gate.flights.size;
    context.shutDown(Math.max(0, Math.min(600_000, graceMs ?? 10_000)));
    return { draining };
  },

  async doctor(context, { trials }) {
    return { findings: await context.doctor(trials) };
  },

  async config(context) {
    return context.config();
  },

  async 'config.limits'(context) {
    return context.configLimits();
  },

  async 'config.reload'(context) {
    return { problems: await context.reload() };
  },

  async 'backend.add'(context, request) {
    return context.addBackend(request);
  },
};
