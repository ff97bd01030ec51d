/** Returns the index of one of `count` possibilities. */
export type Choose = (count: number) => number;

/** Calls `play` with every possible sequence of choices, and returns the result of each call. */
export function everyWay<T>(play: (choose: Choose) => T): T[] {
    const outcomes: T[] = [];
    const path: number[] = [];
    for (;;) {
        const counts: number[] = [];
        const choose: Choose = (count) => {
            const at = counts.push(count) - 1;
            return (path[at] ??= 0);
        };
        outcomes.push(play(choose));
        // The next sequence differs in the last choice that has another possibility.
        let last = path.pop();
        while (last !== undefined && last + 1 >= (counts[path.length] ?? 0)) last = path.pop();
        if (last === undefined) return outcomes;
        path.push(last + 1);
    }
}
