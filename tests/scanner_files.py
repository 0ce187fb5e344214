"""Small data sets in the formats of archives, written by the formats' libraries."""

import h5py
import ismrmrd
import nibabel
import numpy as np
import pydicom
from pydicom.dataset import FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid


def write_nifti(path, values, affine=None):
    """Write [i, j, k] with an affine from indices to RAS millimetres."""
    image = nibabel.Nifti1Image(values, np.eye(4) if affine is None else affine)
    nibabel.save(image, path)
    return path


BRATS_AFFINE = np.array([[-1, 0, 0, 0], [0, -1, 0, 239], [0, 0, 1, 0], [0, 0, 0, 1.0]])


def write_brats(root, subject, rng, shape=(240, 240, 155), names=None):
    """Write four contrasts as BraTS does, int16 in no air; return them [k, j, i].

    The brain is an ellipsoid that fills most slices.
    """
    grid = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    brain = sum((axis / 0.9) ** 2 for axis in grid) < 1
    names = names or {c: f"{subject}_{c}" for c in ("t1", "t1ce", "t2", "flair")}
    folder = root / subject
    folder.mkdir(parents=True)
    contrasts = {}
    for contrast, name in names.items():
        values = (brain * rng.integers(100, 900, shape)).astype(np.int16)
        values[shape[0] // 2, shape[1] // 2, shape[2] // 2] = 30_000  # an outlier
        write_nifti(folder / f"{name}.nii.gz", values, BRATS_AFFINE)
        contrasts[contrast] = values.transpose(2, 1, 0)
    return contrasts


def ct_slice(pixels, *, position, series, patient="P1", number=1):
    """Return a CT image [h, w] uint16 in explicit little endian, HU = pixel - 1024."""
    ds = pydicom.Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = CTImageStorage
    ds.SOPClassUID, ds.SOPInstanceUID = CTImageStorage, generate_uid()
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.StudyInstanceUID = ds.FrameOfReferenceUID = "1.2.3"
    ds.SeriesInstanceUID, ds.PatientID, ds.Modality = series, patient, "CT"
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.InstanceNumber = number
    ds.ImagePositionPatient = list(position)
    ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    ds.PixelSpacing, ds.SliceThickness = [0.7, 0.7], 2.5
    ds.Rows, ds.Columns = pixels.shape
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated = ds.BitsStored = 16
    ds.HighBit, ds.PixelRepresentation = 15, 0
    ds.RescaleSlope, ds.RescaleIntercept = 1, -1024
    ds.PixelData = pixels.astype("<u2").tobytes()
    return ds


def ct_series(rng, n=4, size=512, **facts):
    """Return n slices, feet first, and their Hounsfield units [n, h, w]."""
    series = generate_uid()
    pixels = rng.integers(0, 2500, (n, size, size))
    slices = [
        ct_slice(
            p, position=(-180, -170, 2.5 * i), series=series, number=n - i, **facts
        )
        for i, p in enumerate(pixels)
    ]
    return slices, pixels.astype(np.float32) - 1024


def save_all(folder, slices):
    """Save slices under names in no order of position."""
    folder.mkdir(parents=True, exist_ok=True)
    for i, ds in enumerate(slices):
        ds.save_as(
            folder / f"{(7 * i) % len(slices):04d}-{i}.dcm", enforce_file_format=True
        )
    return folder


def centred_fft(images):
    """Return orthonormal k-space with DC at N//2."""
    axes = (-2, -1)
    corner = np.fft.fft2(np.fft.ifftshift(images, axes), axes=axes, norm="ortho")
    return np.fft.fftshift(corner, axes)


def fastmri_header(encoded=(640, 368), recon=(320, 320), fov_mm=160.0):
    """Return the XML of a knee's ISMRMRD header."""
    xsd = ismrmrd.xsd

    def space(size, fov):
        return xsd.encodingSpaceType(
            matrixSize=xsd.matrixSizeType(x=size[0], y=size[1], z=1),
            fieldOfView_mm=xsd.fieldOfViewMm(x=fov[0], y=fov[1], z=3.0),
        )

    limits = xsd.encodingLimitsType(
        kspace_encoding_step_1=xsd.limitType(
            minimum=0, maximum=encoded[1] - 1, center=184
        )
    )
    header = xsd.ismrmrdHeader(
        experimentalConditions=xsd.experimentalConditionsType(
            H1resonanceFrequency_Hz=1
        ),
        encoding=[
            xsd.encodingType(
                encodedSpace=space(encoded, (2 * fov_mm, fov_mm)),
                reconSpace=space(recon, (fov_mm, fov_mm)),
                encodingLimits=limits,
                trajectory=xsd.trajectoryType.CARTESIAN,
            )
        ],
    )
    return header.toXML("utf-8")


def write_fastmri(path, images, *, patient="patient-1", mask=None, recon=(320, 320)):
    """Write k-space of images [n, (c,) readout, columns]; return it complete."""
    kspace = centred_fft(images).astype(np.complex64)
    with h5py.File(path, "w") as file:
        file["kspace"] = kspace if mask is None else kspace * mask
        file["ismrmrd_header"] = fastmri_header(images.shape[-2:], recon)
        if mask is not None:
            file["mask"] = mask
        file.attrs.update(
            acquisition="CORPD_FBK", patient_id=patient, max=1.0, norm=1.0
        )
    return kspace
