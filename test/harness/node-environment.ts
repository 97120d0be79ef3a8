/** What a Node that a test starts inherits: nothing that configures Parley, and the compile cache, which saves a third of its start. */
export const nodeEnvironment = {
  PATH: process.env.PATH,
  NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE,
};
