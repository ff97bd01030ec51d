import { buildCases } from "./buildCases";
import { githubCases } from "./githubCases";
import { killCases } from "./killCases";
import { machineCases } from "./machineCases";
import type { Case } from "./plays";
import { registryCases } from "./registryCases";

/** The table of faults. */
export const cases: readonly Case[] = [...killCases, ...registryCases, ...githubCases, ...buildCases, ...machineCases];
