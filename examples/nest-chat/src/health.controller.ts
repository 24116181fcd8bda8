import { BreakwaterHealthIndicator, type HealthReport } from "@breakwater/nestjs";
import { Controller, Get, ServiceUnavailableException } from "@nestjs/common";

@Controller("health")
export class HealthController {
  constructor(private readonly breakwater: BreakwaterHealthIndicator) {}

  /** 503 while the server shuts down, so that the load balancer sends nobody more. With terminus it is one line. */
  @Get()
  check(): HealthReport {
    const report = this.breakwater.isHealthy();
    if (report["breakwater"]?.status === "down") throw new ServiceUnavailableException(report);
    return report;
  }
}
