test.each(JSON.parse(process.env.PACKAGES))("%s can be required", (name) => {
  expect(typeof require(name)).toBe("object");
});
