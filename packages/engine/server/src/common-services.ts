/** @module The services that every server of gRPC may have: health and reflection. They are open to everyone. */
import { HealthDefinition } from "@conclave/protocol/health";
import { ServerReflectionDefinition as ReflectionV1 } from "@conclave/protocol/reflection/v1";
import { ServerReflectionDefinition as ReflectionV1Alpha } from "@conclave/protocol/reflection/v1alpha";
import { bindService, type ServiceBinding } from "@conclave/rpc";
import { HealthService } from "./services/health-service.ts";
import { ReflectionService } from "./services/reflection-service.ts";

/** Services with health and reflection beside them; they see no key and ask for no permission, as in etcd. */
export function withCommonServices(services: readonly ServiceBinding[]): readonly ServiceBinding[] {
  const common = [HealthDefinition, ReflectionV1, ReflectionV1Alpha].map(({ fullName }) => fullName);
  const reflection = new ReflectionService([...services.map(({ fullName }) => fullName), ...common]);
  return [
    ...services,
    bindService(HealthDefinition, new HealthService()),
    bindService(ReflectionV1, reflection),
    bindService(ReflectionV1Alpha, reflection),
  ];
}
