"""The supernode: does it have the compute that is printed of it, and does it answer NVL72?"""

from analysis.subjects.supernode import compute, rivals

CLAIMS = (*compute.CLAIMS, *rivals.CLAIMS)
COMPUTE, NVL72 = compute.CLAIM, rivals.CLAIM
