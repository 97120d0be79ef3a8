/** Plain @fastify/websocket: a route that accepts connections and does nothing. */
import websocket from '@fastify/websocket';
import Fastify from 'fastify';

const app = Fastify();
await app.register(websocket);
app.get('/', { websocket: true }, (socket) => {
  socket.on('message', () => {});
});
await app.listen({ port: Number(process.argv[2]), host: '127.0.0.1' });
process.on('disconnect', () => process.exit(0));
process.send!('listening');
