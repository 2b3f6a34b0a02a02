"""What OpenWhisk's contract says, asked of Brisk: tables of questions and answers.

A row is a short story in a namespace of its own: requests with their answers, and the same as lines
of `wsk` with what they print. It names the paragraphs of the contract that it is about. Every row
is told to an embedded platform and to a cluster.
"""
