import { init } from "echarts";
import { names } from "./competitors";
import type { Result } from "./measure";
import type { Results } from "./report";
import type { Builder } from "./scenarios";

/** The drawing has a background of its own, so that its text is readable on GitHub's light pages and on its dark ones. */
export const colours = {
    background: "#f6f8fa",
    text: "#1f2328",
    lines: "#d1d9e0",
    bars: {
        [names.ours]: "#0969da",
        [names.bake]: "#1a7f37",
        [names.usual]: "#bf3989",
        [names.filtered]: "#8250df",
        [names.raw]: "#6e7781",
    } satisfies Record<string, string>,
} as const;

const [width, rowHeight, top, gap] = [960, 84, 70, 70];

/** Returns the axes and bars of one kind of builder. */
function panel(results: readonly Result[], builder: Builder, index: number, start: number) {
    const shown = results.filter((result) => result.builder === builder);
    const text = { color: colours.text, fontSize: 13 };
    const medianOf = (result: Result, name: string) =>
        result.outcomes.find(({ competitor }) => competitor === name)?.usage?.wall?.median;
    return {
        height: shown.length * rowHeight,
        title: { text: `${builder} builder`, left: 20, top: start - 34, textStyle: { ...text, fontSize: 15 } },
        grid: { left: 230, right: 80, top: start, height: shown.length * rowHeight },
        xAxis: {
            ...{ type: "value", gridIndex: index, name: "seconds", nameTextStyle: text, axisLabel: text },
            splitLine: { lineStyle: { color: colours.lines } },
        },
        yAxis: {
            ...{ type: "category", gridIndex: index, inverse: true, data: shown.map(({ title }) => title) },
            axisLabel: { ...text, width: 200, overflow: "break" },
            axisLine: { lineStyle: { color: colours.text } },
            axisTick: { show: false },
        },
        series: Object.entries(colours.bars).map(([name, color]) => ({
            ...{ type: "bar", name, xAxisIndex: index, yAxisIndex: index, color, barMaxWidth: 12 },
            label: { show: true, position: "right", color: colours.text, fontSize: 11 },
            data: shown.map((result) => {
                const value = medianOf(result, name);
                // ECharts draws no bar for a dash.
                return value === undefined ? "-" : Number(value.toFixed(1));
            }),
        })),
    };
}

/** Draws the wall times of a run's results as SVG: for each kind of builder and scenario a bar for each competitor. */
export function drawing({ results, hierarchy, date }: Results): string {
    const builders = (["warm", "empty"] as const).filter((builder) => results.some((one) => one.builder === builder));
    let start = top + gap;
    const panels = builders.map((builder, index) => {
        const one = panel(results, builder, index, start);
        start += one.height + gap + 30;
        return one;
    });
    const chart = init(null, null, { renderer: "svg", ssr: true, width, height: start - gap + 20 });
    const title = {
        text: `Seconds until all images are up to date (${hierarchy} hierarchy, medians, ${date})`,
        ...{ left: 20, top: 14, textStyle: { color: colours.text, fontSize: 17 } },
    };
    chart.setOption({
        animation: false,
        backgroundColor: colours.background,
        textStyle: { fontFamily: "sans-serif" },
        title: [title, ...panels.map((one) => one.title)],
        legend: { top: 46, left: 20, itemGap: 40, textStyle: { color: colours.text, fontSize: 13 } },
        grid: panels.map(({ grid }) => grid),
        xAxis: panels.map(({ xAxis }) => xAxis),
        yAxis: panels.map(({ yAxis }) => yAxis),
        series: panels.flatMap(({ series }) => series),
    } as Parameters<typeof chart.setOption>[0]);
    const svg = chart.renderToSVGString();
    chart.dispose();
    return svg;
}
