export { createServiceDispatcher, type ServiceDispatcherOptions } from "./service-dispatcher.ts";
