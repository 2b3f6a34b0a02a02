"""HTTP as it is: who calls, under which transaction id, what a query means, what an error says."""
