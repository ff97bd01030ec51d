import type { Reply } from "./request";
import type { State } from "./state";
export function page(state: State, path: string): Reply {
    return { status: path === "/" ? 200 : 404, body: `<!doctype html><p>${Object.keys(state.repositories).length}` };
}
