import { getClientToken } from "@breakwater/nestjs";
import { Test } from "@nestjs/testing";

import { AppController } from "./app.controller";
import { AppModule } from "./app.module";

it("a client is replaced in a test, and a decorated method is called again after it failed", async () => {
  const asked = { messages: [{ role: "user", content: "Ready?" }] };
  const chat = jest
    .fn()
    .mockRejectedValueOnce(new Error("busy"))
    .mockResolvedValue({ choices: [{ message: { content: "Aye." } }] });
  const module = await Test.createTestingModule({ imports: [AppModule] })
    .overrideProvider(getClientToken("deepseek"))
    .useValue({ chat })
    .compile();
  expect(await module.get(AppController).answer("Ready?")).toBe("Aye.");
  expect(chat.mock.calls).toEqual([[asked], [asked]]);
  await module.close();
});
