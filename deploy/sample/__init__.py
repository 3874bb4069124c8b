"""The sample market: fictional firms of four regions, what they offer and what they ask for."""

from deploy.sample.files import SampleError
from deploy.sample.loader import load
from deploy.sample.report import LoadReport, Progress, SignIn

__all__ = ["LoadReport", "Progress", "SampleError", "SignIn", "load"]
