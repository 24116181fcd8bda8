/** What whoever started the script can put right: said in one sentence, without a stack. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}
