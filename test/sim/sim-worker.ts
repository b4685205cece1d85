/** @module A process that runs seeds for `npm run sim`, one after the other as it is told. */
import { loadedMutant } from "./mutants/loaded-mutant.ts";
import { runSimulation, type SimulationOptions } from "./simulation.ts";

process.on("message", (options: SimulationOptions & { readonly mutant: string | undefined }) => {
  void (async () => {
    const report = await runSimulation(options);
    // Without its fault a mutant would be found innocent.
    if (loadedMutant() !== options.mutant)
      throw new Error(`The mutant '${options.mutant}' is not in the sources that ran`);
    process.send?.(report);
  })();
});
