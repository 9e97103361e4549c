"""Other people's recommenders on the split of `benchmarks.sequences`, next to RecPrism."""
