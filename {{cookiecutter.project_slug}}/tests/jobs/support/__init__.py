"""The kit of the tests of jobs: a broker, workers, and tasks of their own."""
