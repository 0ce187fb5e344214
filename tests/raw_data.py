"""Raw data made from a known image by its formula, written by the ismrmrd library."""

import ismrmrd
import numpy as np
from ismrmrd import xsd
from xsdata.models.datatype import XmlDate

READ = np.array([0.6, 0.8, 0.0])
PHASE = np.array([0.0, 0.0, -1.0])
SLICE = np.cross(READ, PHASE)


def dft(n):
    """Return the centred orthonormal DFT as a matrix, [frequency, place]."""
    index = np.arange(n) - n // 2
    return np.exp(-2j * np.pi * np.outer(index, index) / n) / np.sqrt(n)


def kspace_of(images):
    """Return centred orthonormal k-space of images [..., h, w]."""
    h, w = images.shape[-2:]
    return dft(h) @ images @ dft(w).T


def space(matrix, fov):
    return xsd.encodingSpaceType(
        matrixSize=xsd.matrixSizeType(x=matrix[0], y=matrix[1], z=matrix[2]),
        fieldOfView_mm=xsd.fieldOfViewMm(x=fov[0], y=fov[1], z=fov[2]),
    )


def header(encoded, wanted, centre, trajectory="cartesian"):
    """Return a header of (matrix, field of view) before and after oversampling."""
    limits = xsd.encodingLimitsType(
        kspace_encoding_step_1=xsd.limitType(
            minimum=0, maximum=encoded[0][1] - 1, center=centre
        )
    )
    return xsd.ismrmrdHeader(
        subjectInformation=xsd.subjectInformationType(patientName="Doe^J"),
        studyInformation=xsd.studyInformationType(
            studyInstanceUID="1.2.3", studyDate=XmlDate(2020, 3, 9)
        ),
        experimentalConditions=xsd.experimentalConditionsType(
            H1resonanceFrequency_Hz=128000000
        ),
        encoding=[
            xsd.encodingType(
                encodedSpace=space(*encoded),
                reconSpace=space(*wanted),
                encodingLimits=limits,
                trajectory=xsd.trajectoryType(trajectory),
            )
        ],
    )


def line(samples, step=0, slice_=0, position=(0.0, 0.0, 0.0), flags=(), **counters):
    """Return one readout [c, x] of a line of a slice."""
    made = ismrmrd.Acquisition.from_array(np.ascontiguousarray(samples, np.complex64))
    made.center_sample = samples.shape[1] // 2
    made.idx.kspace_encode_step_1, made.idx.slice = step, slice_
    for name, value in counters.items():
        setattr(made.idx if hasattr(made.idx, name) else made, name, value)
    made.position[:] = position
    made.read_dir[:], made.phase_dir[:], made.slice_dir[:] = READ, PHASE, SLICE
    for flag in flags:
        made.set_flag(getattr(ismrmrd, flag))
    return made


def write(path, head, lines):
    with ismrmrd.Dataset(str(path), "dataset") as file:
        file.write_xml_header(head.toXML())
        for one in lines:
            file.append_acquisition(one)
    return str(path)
