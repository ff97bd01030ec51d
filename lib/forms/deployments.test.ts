import { expect, test } from "../../tests/mocha";
import { deploymentPlan, imagePlan, planOf } from "../../tests/previews";
import { htmlForm } from "./html";
import { jsonForm, reviewSchema } from "./json";
import { markdownForm } from "./markdown";
import { tableForm } from "./table";

const plan = planOf([imagePlan("bot", { action: "maybe" })], {
    deployments: [
        deploymentPlan("new", { action: "deploy", causes: [{ kind: "first deployment" }] }),
        deploymentPlan("other"),
        deploymentPlan("left", { action: "remove", causes: [{ kind: "deployment removed" }] }),
    ],
});

test("a terminal shows a deployment a line, and continues long ones below it", () => {
    const text = tableForm(plan, { width: 80, colour: false });
    expect(text).toContain(
        [
            "Deployments",
            "deploy  new (image bot, deploy@bot.example.org): first deployment",
            "maybe   other (image bot, deploy@bot.example.org): only if the digest of image",
            "        bot changes",
            "remove  left (image bot, deploy@bot.example.org): no longer in the stack's",
            "        configuration; what runs on the host stays",
        ].join("\n"),
    );
});

test("a comment shows them as a list, in which no host becomes a mention", () => {
    const text = markdownForm(plan);
    expect(text).toContain(
        "**Deployments**\n\n- **deploy**: new \\(image bot, deploy@&#8203;bot.example.org\\): first",
    );
    expect(text).toContain("- **maybe**: other");
});

test("a page shows them as a table", () => {
    const text = htmlForm(plan, []);
    expect(text).toContain("<h2>Deployments</h2>");
    expect(text).toMatch(/new<\/td>.*deploy.*first deployment.*bot.*deploy@bot\.example\.org/s);
});

test("programs get them with their causes in words, and a plan without them has an empty list", () => {
    const parsed = reviewSchema.parse(JSON.parse(jsonForm(plan)));
    expect(parsed.deployments?.map(({ deployment, action, causes }) => [deployment, action, causes])).toEqual([
        ["new", "deploy", ["first deployment"]],
        ["other", "maybe", ["only if the digest of image bot changes"]],
        ["left", "remove", ["no longer in the stack's configuration; what runs on the host stays"]],
    ]);
    const none = planOf([]);
    expect(reviewSchema.parse(JSON.parse(jsonForm(none))).deployments).toEqual([]);
    for (const text of [tableForm(none, { width: 80, colour: false }), markdownForm(none), htmlForm(none, [])])
        expect(text).not.toContain("Deployments");
});
