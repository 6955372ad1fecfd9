"""Pages show formulas without a script: TeX becomes MathML, which browsers draw themselves."""

import re

from latex2mathml.converter import convert
from nbconvert.preprocessors import Preprocessor

FORMULA = re.compile(r"(`+).+?\1|\$\$(.+?)\$\$|\$(?=\S)([^$\n]+?)(?<=\S)\$", re.DOTALL)


def mathml(match):
    if match[1]:  # code, where a dollar is a dollar
        return match[0]
    return convert(match[2] or match[3], display="block" if match[2] else "inline")


class MathML(Preprocessor):
    def preprocess_cell(self, cell, resources, index):
        if cell.cell_type == "markdown":
            cell.source = FORMULA.sub(mathml, cell.source)
        return cell, resources


c = get_config()  # noqa: F821, which nbconvert provides
c.HTMLExporter.preprocessors = [MathML]
c.HTMLExporter.exclude_anchor_links = True
c.TemplateExporter.template_name = "page"
c.TemplateExporter.extra_template_basedirs = ["notebooks"]
