"""Is this machine fit for a lab, and has any lab left something on it?

features.py   what the kernel must and may have, and what each absence costs
machine.py    tools, Python packages, memory
host.py       a picture of what labs could leave on a host
leaks.py      what in such a picture belongs to no running lab
"""
