"""Prefixes of wiki links that are not text: pictures that the page shows, and categories.

A wiki may use those of its language beside the English ones; its dump lists them, a page does not.
"""

from __future__ import annotations

__all__ = ["MEDIA_NAMESPACES"]

_FILES = """
    file|image|media|datei|bild|fichier|archivo|imagen|файл|изображение|ficheiro|imagem|immagine
    bestand|afbeelding|plik|grafika|fil|tiedosto|kuva|soubor|obrázok|obrázek|súbor|fájl|kép|dosya
    resim|berkas|gambar|fail|tập tin|hình|fitxer|imatge|fitxategi|irudi|зображення|файл|выява
    αρχείο|εικόνα|fișier|fişier|imagine|датотека|слика|datoteka|slika|картинка|vaizdas|attēls|pilt
    skrá|mynd|ficheru|imaxe|dosiero|íomhá|delwedd|talaksan|ファイル|画像|文件|檔案|档案|图像|圖像|图片
    파일|그림|ملف|صورة|پرونده|تصویر|קובץ|תמונה|चित्र|चित्र|ছবি|চিত্র|ไฟล์|ภาพ|படிமம்|దస్త్రం|პატკლერი|ფაილი|պատկեր
"""
_CATEGORIES = """
    category|kategorie|catégorie|categoría|категория|categoria|kategoria|kategori|categorie|luokka
    kategória|kategorija|kategorio|thể loại|категорія|катэгорыя|κατηγορία|категорија|kategooria
    flokkur|catégorie|カテゴリ|分类|分類|분류|تصنيف|رده|קטגוריה|श्रेणी|বিষয়শ্রেণী|หมวดหมู่|பகுப்பு|కాటగాలి
    კატეგორია|կատեգորիա
"""

MEDIA_NAMESPACES = frozenset(
    name.strip() for line in (_FILES + _CATEGORIES).split("\n") for name in line.split("|")
) - {""}
