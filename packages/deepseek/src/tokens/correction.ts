/** What estimates have to be multiplied by, learnt for each model from what its host counted. */
export interface Correction {
  /** 1 for a model of which nothing is known. */
  factor(model: string): number;
  learn(model: string, estimated: number, actual: number): void;
}

/** No host's tokenizer is further from the rule of thumb: what says so has other reasons. */
const LEAST = 0.25;
const MOST = 4;

/** Further off than this is no text: a picture, a file, a prompt that the host added. */
const OUTLIER = 10;

/** What an answer counts for after the next one: some twenty of them make the mean. */
const DECAY = 0.95;

/** Up to this many tokens, what the host puts around a prompt outweighs the prompt: short ones teach less. */
const SHORT = 100;

interface Mean {
  sum: number;
  weight: number;
}

/**
 * An exponentially weighted mean of counted by estimated tokens, between 0.25 and 4. It begins at 1, as if one answer
 * had said so. Zeros, fractions of nothing and what is ten times off teach nothing.
 *
 * @param maxModels models kept; the one that was not learnt of for longest begins anew
 */
export function createCorrection(maxModels: number): Correction {
  const means = new Map<string, Mean>();
  return {
    factor(model) {
      const mean = means.get(model);
      return mean === undefined ? 1 : mean.sum / mean.weight;
    },
    learn(model, estimated, actual) {
      const ratio = actual / estimated;
      // Not the other way round: NaN is an outlier as well.
      if (!(estimated > 0 && ratio >= 1 / OUTLIER && ratio <= OUTLIER)) return;
      const weight = estimated / (estimated + SHORT);
      const mean = means.get(model) ?? { sum: 1, weight: 1 };
      mean.sum = DECAY * mean.sum + weight * Math.min(MOST, Math.max(LEAST, ratio));
      mean.weight = DECAY * mean.weight + weight;
      means.delete(model);
      means.set(model, mean);
      const [oldest] = means.keys();
      if (means.size > maxModels && oldest !== undefined) means.delete(oldest);
    },
  };
}
