// Loaded before a program that names no address: whatever it listens on is bound to loopback.
const { Server } = require('node:net');

const { listen } = Server.prototype;
Server.prototype.listen = function listenOnLoopback(first, ...rest) {
  if (typeof first === 'object' && first !== null && !('path' in first) && !('fd' in first))
    return listen.call(this, { ...first, host: '127.0.0.1' }, ...rest);
  if (typeof first !== 'number' && typeof first !== 'string') return listen.call(this, first, ...rest);
  const callback = rest.find((value) => typeof value === 'function');
  return listen.call(this, { port: Number(first), host: '127.0.0.1' }, callback);
};
