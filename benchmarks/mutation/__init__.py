# SPDX-License-Identifier: Apache-2.0
"""Mutation testing: does a test fail when a line of the compiler is wrong?

python -m benchmarks.mutation --count 120 --resume build/mutation.jsonl
python -m benchmarks.mutation --survivors --resume build/mutation.jsonl    # those again

Each mutant is one change of one operator, number or call in the packages below. It is put into a
copy of the project, where tests that execute its line run until one fails. The sample is drawn with
a seed, the same share of each package; the planted ones are always in it. Results are kept, one
line per mutant; a run that was stopped is resumed.
"""
