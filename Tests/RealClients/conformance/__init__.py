# SPDX-License-Identifier: Apache-2.0
"""The behaviours of Kubernetes' conformance specs that need an API server and controllers but no node, spec by spec.

A test says which specs it covers with `@pytest.mark.spec("full name of the spec", ...)`. `test_specs.py` compares those
claims with `specs.txt` (what is in scope) and `not-yet.txt` (what is not covered, and why).

Files here share one `apus up` (fixture `cluster`, from conftest.py beside this file), so a test works in a namespace of
its own and leaves nothing cluster-wide behind.
"""
