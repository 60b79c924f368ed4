# For hands that type make; make.py does the work and needs only Python and pip.
.PHONY: digits test test-all check clean
digits test test-all check clean:
	@python3 make.py $@
