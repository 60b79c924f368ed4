# For hands that type make; make.py does the work and needs only Python and pip.
.PHONY: digits test check clean
digits test check clean:
	@python3 make.py $@
